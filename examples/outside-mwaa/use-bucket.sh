umask 077 # the copy contains the token
aws s3 cp "s3://$BUCKET/dags/codeartifact.txt" codeartifact.txt
pip install -r codeartifact.txt -r requirements.txt
