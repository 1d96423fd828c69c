"""What deploys the project: CloudFormation templates, the Lambda function, and their stand-ins on one machine."""
