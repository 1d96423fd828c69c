locals {
  codeartifact = "arn:aws:codeartifact:${var.region}:${var.domain_owner}"
}

resource "aws_s3_object" "refresher" {
  bucket      = var.bucket
  key         = "lambda/refresher.zip"
  source      = "${var.project}/build/refresher.zip"
  source_hash = filemd5("${var.project}/build/refresher.zip")
}

resource "aws_cloudformation_stack" "refresher" {
  name          = "${var.environment}-refresher"
  template_body = file("${var.project}/infra/cloudformation/refresher.yaml")
  capabilities  = ["CAPABILITY_NAMED_IAM"]
  parameters = {
    EnvironmentName          = var.environment
    BucketName               = var.bucket
    RefresherS3Key           = aws_s3_object.refresher.key
    RefresherS3ObjectVersion = aws_s3_object.refresher.version_id
    DomainName               = var.domain
    DomainOwner              = var.domain_owner
    DomainArn                = "${local.codeartifact}:domain/${var.domain}"
    RepositoryName           = var.repository
    RepositoryArn            = "${local.codeartifact}:repository/${var.domain}/${var.repository}"
  }
}
