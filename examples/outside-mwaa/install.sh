pip install "$WHEEL"
package=$(python -c "import mwaa_codeartifact; print(mwaa_codeartifact.__path__[0])")
cp "$package/example_dags/refresh_codeartifact_index_url.py" "$DAGS_FOLDER/"
