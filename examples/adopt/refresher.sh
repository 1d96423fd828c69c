make build
version=$(aws s3api put-object --bucket "$BUCKET" --key lambda/refresher.zip --body build/refresher.zip \
  --query VersionId --output text)
arn="arn:aws:codeartifact:$AWS_DEFAULT_REGION:$DOMAIN_OWNER"
aws cloudformation deploy --stack-name "$ENVIRONMENT-refresher" \
  --template-file infra/cloudformation/refresher.yaml --capabilities CAPABILITY_IAM --parameter-overrides \
  EnvironmentName="$ENVIRONMENT" BucketName="$BUCKET" RefresherS3ObjectVersion="$version" \
  DomainName="$DOMAIN" DomainOwner="$DOMAIN_OWNER" DomainArn="$arn:domain/$DOMAIN" \
  RepositoryName="$REPOSITORY" RepositoryArn="$arn:repository/$DOMAIN/$REPOSITORY"
aws s3api head-object --bucket "$BUCKET" --key dags/codeartifact.txt --query Metadata
