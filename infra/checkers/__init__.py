"""The checkers of the templates and policies: cfn-lint, checkov and parliament, with each exception on its resource."""
