terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "project" {
  description = "Path of a clone of mwaa-codeartifact in which `make build` has run"
  type        = string
}

variable "requirements" {
  description = "Path of your requirements.txt, which contains the line -r $${AIRFLOW_HOME}/dags/codeartifact.txt"
  type        = string
}

variable "region" {
  description = "Region of the environment and of the CodeArtifact domain"
  type        = string
}

variable "environment" {
  description = "Name of the MWAA environment"
  type        = string
}

variable "bucket" {
  description = "Name of its bucket, which is versioned"
  type        = string
}

variable "execution_role" {
  description = "Name of its execution role, which may do what MWAA's user guide says"
  type        = string
}

variable "subnet_ids" {
  description = "Its two private subnets, from which CodeArtifact can be reached"
  type        = list(string)
}

variable "security_group_ids" {
  description = "Its security groups"
  type        = list(string)
}

variable "domain" {
  description = "Name of the CodeArtifact domain"
  type        = string
}

variable "domain_owner" {
  description = "Account id that owns the CodeArtifact domain"
  type        = string
}

variable "repository" {
  description = "Name of the CodeArtifact repository"
  type        = string
}
