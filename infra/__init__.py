"""What deploys the project: CloudFormation templates, the Lambda function, and their stand-ins on one machine."""

from pathlib import Path

# The project's directory.
ROOT = Path(__file__).parents[1]
