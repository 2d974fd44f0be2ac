#!/usr/bin/env bash
# Keep one issue that lists the broken links: open it, update it, close it.
#     report-links.sh REPORT.md        (an empty report: nothing is broken)
set -euo pipefail
report=$1
title="Links to other sites are broken"

if [ ! -f "$report" ]; then
  echo "there is no report at $report, so the check itself failed" >&2
  exit 1
fi
number="$(gh issue list --state open --limit 500 --json number,title --jq "map(select(.title == \"$title\")) | first | .number // empty")"
if [ -s "$report" ]; then
  if [ -n "$number" ]; then
    gh issue edit "$number" --body-file "$report"
  else
    gh issue create --title "$title" --body-file "$report"
  fi
elif [ -n "$number" ]; then
  gh issue close "$number" --comment "All links work again."
fi
