#!/bin/sh
# Makes the secrets that compose.yaml mounts, once. Containers read them under users of their own, so the folder is
# closed to others, not the files.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
[ -e secrets/neo4j_auth ] || printf 'neo4j/%s' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" > secrets/neo4j_auth
[ -e secrets/qdrant_api_key ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > secrets/qdrant_api_key
cut -d/ -f2 secrets/neo4j_auth | tr -d '\n' > secrets/neo4j_password
chmod 644 secrets/*
echo "docker/secrets: neo4j_auth and qdrant_api_key for the servers, neo4j_password for AESG_PASSWORD_FILE"
