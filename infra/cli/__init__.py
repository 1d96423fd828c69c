"""What the command line programs share: settings, templates, the AWS CLI, what they say and how they end."""
