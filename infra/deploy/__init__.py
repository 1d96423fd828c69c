"""The deployer: brings the stacks of infra/cloudformation up and down with the AWS CLI."""
