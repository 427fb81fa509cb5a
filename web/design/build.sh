#!/bin/sh
# Makes web/static/govuk.css and web/static/govuk.js anew from npm's govuk-frontend.
# Nobody needs this to build or run Kinpass: what it makes is committed. It is for
# a newer version of govuk-frontend or another colour (web/static/VENDOR.md).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-save --ignore-scripts --prefix "$work" govuk-frontend@6.6.0 sass@1.108.2 >&2
modules=$work/node_modules
# Left and right become start and end, so that Arabic needs no second sheet.
# float keeps its old value for browsers that do not know the new one.
"$modules/.bin/sass" --no-source-map --style=compressed --quiet-deps --load-path="$modules/govuk-frontend/dist" govuk.scss |
	sed -E \
		-e 's/(margin|padding)-left:/\1-inline-start:/g; s/(margin|padding)-right:/\1-inline-end:/g' \
		-e 's/border-left(-width|-color|-style)?:/border-inline-start\1:/g; s/border-right(-width|-color|-style)?:/border-inline-end\1:/g' \
		-e 's/text-align:left/text-align:start/g; s/text-align:right/text-align:end/g' \
		-e 's/float:left/float:left;float:inline-start/g; s/float:right/float:right;float:inline-end/g' \
		-e 's/([;{])left:/\1inset-inline-start:/g; s/([;{])right:/\1inset-inline-end:/g' \
		>../static/govuk.css
# The map that the last line names is not served.
sed 's,//# sourceMappingURL=.*,,' "$modules/govuk-frontend/dist/govuk/govuk-frontend.min.js" >../static/govuk.js
