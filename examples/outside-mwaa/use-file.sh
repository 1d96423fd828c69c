pip install -r "$INDEX_URL_FILE" -r requirements.txt
