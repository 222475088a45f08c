#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/plot: how many times as much the peers take as weir, from the lines of a run, as bars. plot.sh RESULTS FILE
# Writes FILE.png and FILE.svg.
set -eu
results=$1 file=$2
tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-plot.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# "question: weir" and "question: peer" become "question", peer / weir; where more is better, weir / peer
awk -F'  +' '/^#/ || /^stream +(lost|reached)[ ,]/ { next } {
		line = substr($0, 12); at = match(line, /: (weir|LTTng-UST|babeltrace2|tmpfs|trace_pipe_raw)/)
		if (!at) next
		question = substr(line, 1, at - 1); rest = substr(line, at + 2)
		n = split(rest, col, " +"); unit = col[n]; median = col[n - 4]
		who = rest; sub(/ +[-0-9.]+ +[-0-9.]+ +[-0-9.]+ +[0-9]+ +[^ ]+$/, "", who)
		if (who == "weir") { weir[question] = median; more[question] = unit ~ /\/s$/; next }
		peer[++nr] = question; name[nr] = $1; sub(/ .*/, "", name[nr]); whose[nr] = who; value[nr] = median
	} END {
		for (i = nr; i >= 1; i--) {
			q = peer[i]
			if (!(q in weir) || weir[q] <= 0 || value[i] <= 0) continue
			printf "\"%s: %s (%s)\" %.3f\n", name[i], q, whose[i], more[q] ? weir[q] / value[i] : value[i] / weir[q]
		}
	}' "$results" >"$tmp/bars"
[ -s "$tmp/bars" ] || { echo "bench/plot: nothing to compare in $results" >&2; exit 0; }
rows=$(wc -l <"$tmp/bars")
plot() {	# TERMINAL OUTPUT
	gnuplot <<GNUPLOT
set terminal $1
set output "$2"
set title "weir and its peers in one run: how many times as much they take" noenhanced
set logscale x
set xrange [0.02:*]
set yrange [-0.7:$rows - 0.3]
set grid xtics
set ytics noenhanced
set style fill solid 0.8
set arrow from 1, -0.7 to 1, $rows - 0.3 nohead lw 2
set key off
set bmargin 3
plot "$tmp/bars" using (\$2 > 1 ? (1 + \$2) / 2 : (1 + \$2) / 2):0:(abs(\$2 - 1) / 2):(0.3):ytic(1) with boxxyerror lc rgb "#3a6ea5", \
	"$tmp/bars" using (\$2 > 1 ? \$2 : 1):0:(sprintf("  %.3g", \$2)) with labels left
GNUPLOT
}
plot "pngcairo size 1000,$((120 + rows * 26)) font ',10'" "$file.png"
plot "svg size 1000,$((120 + rows * 26)) font ',11'" "$file.svg"
