"""The deployer: creates, updates and deletes the stacks of infra/cloudformation with the AWS CLI."""
