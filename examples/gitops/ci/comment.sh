#!/usr/bin/env bash
# Put a comment on a pull request of GitHub, in the place of the one with the same first line:
# comment.sh FILE NUMBER; needs gh, GH_TOKEN and GITHUB_REPOSITORY
set -euo pipefail
file=$1
number=$2
mark=$(head -n 1 "$file")
comments="repos/$GITHUB_REPOSITORY/issues/$number/comments"
found=$(MARK=$mark gh api --paginate "$comments" --jq '.[] | select(.body | startswith(env.MARK)) | .id' | head -n 1)
if [[ -n $found ]]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$found" --field "body=@$file" > /dev/null
else
    gh api --method POST "$comments" --field "body=@$file" > /dev/null
fi
