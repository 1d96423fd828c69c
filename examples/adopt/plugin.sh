make build
aws s3 cp dags/refresh_codeartifact_index_url.py "s3://$BUCKET/dags/"
plugins=$(aws s3api put-object --bucket "$BUCKET" --key plugins.zip --body build/plugins.zip --query VersionId --output text)
