export AWS_DEFAULT_REGION=eu-central-1
export ENVIRONMENT=my-environment # the MWAA environment
export BUCKET=my-bucket # its bucket
export DOMAIN=my-domain DOMAIN_OWNER=123456789012 REPOSITORY=my-repository # CodeArtifact
