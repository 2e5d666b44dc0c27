#!/usr/bin/env bash
# Put the policies of a release into base/: take-base.sh FOLDER, where FOLDER is the release's policies/.
set -euo pipefail
from=$1
cd "$(dirname "$0")/../base"
find . -mindepth 1 -maxdepth 1 -type d -exec rm -r {} +
cp -RL "$from"/*/ .
find . -name "*.yaml" -exec sed -i "1s,webhook/policy/schemas,schemas," {} +
{
    echo 'apiVersion: kustomize.config.k8s.io/v1beta1'
    echo 'kind: Kustomization'
    echo 'namespace: migguard'
    echo 'generatorOptions:'
    echo '  disableNameSuffixHash: true'
    echo '  labels: {app.kubernetes.io/part-of: migguard}'
    echo 'configMapGenerator:'
    echo '  - name: migguard-policies-base'
    echo '    files:'
    for policy in */policy.yaml; do
        echo "      - ${policy%/policy.yaml}.yaml=$policy"
    done
} > kustomization.yaml
echo "took $(find . -name policy.yaml | wc -l) policies into base/"
