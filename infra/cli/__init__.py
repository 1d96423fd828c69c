"""Code that the command line programs share: settings, templates, the AWS CLI, output and exit statuses."""
