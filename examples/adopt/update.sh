aws mwaa update-environment --name "$ENVIRONMENT" \
  --plugins-s3-path plugins.zip --plugins-s3-object-version "$plugins" \
  --airflow-configuration-options "{
    \"codeartifact.domain\": \"$DOMAIN\",
    \"codeartifact.domain_owner\": \"$DOMAIN_OWNER\",
    \"codeartifact.repository\": \"$REPOSITORY\",
    \"codeartifact.region\": \"$AWS_DEFAULT_REGION\",
    \"codeartifact.destination\": \"s3://$BUCKET/dags/codeartifact.txt\"
  }"
