"""The fallback refresher: a Lambda function that is also the bootstrap custom resource."""
