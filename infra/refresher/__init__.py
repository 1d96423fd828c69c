"""The fallback refresher: a Lambda function that is also the custom resource for the bootstrap."""
