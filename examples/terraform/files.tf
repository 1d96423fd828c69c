locals {
  files = {
    "dags/refresh_codeartifact_index_url.py" = "${var.project}/dags/refresh_codeartifact_index_url.py"
    "plugins.zip"                            = "${var.project}/build/plugins.zip"
    "requirements.txt"                       = var.requirements
    "startup.sh"                             = "${var.project}/requirements/startup.sh"
  }
  # The policy of docs/adopt.md, with your names instead of the words in capitals.
  policy = replace(replace(replace(replace(replace(
    file("${var.project}/examples/adopt/execution-role-policy.json"),
    "REGION", var.region),
    "BUCKET", var.bucket),
    "DOMAIN_OWNER", var.domain_owner),
    "DOMAIN", var.domain),
  "REPOSITORY", var.repository)
}

resource "aws_s3_object" "files" {
  for_each    = local.files
  bucket      = var.bucket
  key         = each.key
  source      = each.value
  source_hash = filemd5(each.value)
}

data "aws_iam_role" "execution" {
  name = var.execution_role
}

resource "aws_iam_role_policy" "refresh_index_url" {
  name   = "refresh-index-url"
  role   = data.aws_iam_role.execution.name
  policy = local.policy
}
