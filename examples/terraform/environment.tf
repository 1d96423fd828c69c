resource "aws_mwaa_environment" "this" {
  name               = var.environment
  execution_role_arn = data.aws_iam_role.execution.arn
  source_bucket_arn  = "arn:aws:s3:::${var.bucket}"
  dag_s3_path        = "dags"

  plugins_s3_path                  = "plugins.zip"
  plugins_s3_object_version        = aws_s3_object.files["plugins.zip"].version_id
  requirements_s3_path             = "requirements.txt"
  requirements_s3_object_version   = aws_s3_object.files["requirements.txt"].version_id
  startup_script_s3_path           = "startup.sh"
  startup_script_s3_object_version = aws_s3_object.files["startup.sh"].version_id

  airflow_configuration_options = {
    "codeartifact.domain"       = var.domain
    "codeartifact.domain_owner" = var.domain_owner
    "codeartifact.repository"   = var.repository
    "codeartifact.region"       = var.region
    "codeartifact.destination"  = aws_cloudformation_stack.refresher.outputs["IndexUrlDestination"]
  }

  network_configuration {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  depends_on = [aws_iam_role_policy.refresh_index_url, aws_s3_object.files]
}
