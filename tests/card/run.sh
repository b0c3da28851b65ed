#!/usr/bin/env bash
# batchtop on a real NVIDIA card, beside programs that fill it and compute on it: docs/TESTING.md says
# what should be seen. Takes about six minutes.
#
#     cargo build --release && tests/card/run.sh [PROGRAM] [FOLDER FOR WHAT WAS SEEN]
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=${2:-target/card}
WORK=$(mktemp -d)
B=$(realpath "${1:-target/release/batchtop}")
PORT=21435
mkdir -p "$OUT"
export HOME=$WORK/home BATCHTOP_DRAIN=1s BATCHTOP_COLOR=never PYTHONUNBUFFERED=1
mkdir -p "$HOME"
STARTED=$SECONDS
own=()
cleanup() {
    for told in "$WORK"/*.told; do echo end > "$told"; done
    sleep 1
    for pid in "${own[@]}"; do kill "$pid" 2>/dev/null; done
}
trap cleanup EXIT

head_line() { printf '\n===== %s (at %s s)\n' "$*" "$((SECONDS - STARTED))"; }
until_true() { # SECONDS COMMAND...
    local left=$(($1 * 5)); shift
    until "$@" 2>/dev/null; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "waited in vain for: $*"; return 1; }
        sleep 0.2
    done
}
tell() { # NAME "PERCENT idle|busy": waits until it is so
    rm -f "$WORK/$1.ready"
    echo "$2" > "$WORK/$1.told.part"; mv "$WORK/$1.told.part" "$WORK/$1.told"
    until_true 60 test -e "$WORK/$1.ready" && echo "$1: $(cat "$WORK/$1.ready")"
}
start_server() { # PORT
    "$B" simulate --listen "127.0.0.1:$1" --script "$WORK/server.toml" > "$WORK/server-$1" 2>&1 &
    own+=($!)
    until_true 20 grep -q http "$WORK/server-$1"
}
batchtop_run() { # NAME SECONDS ENVIRONMENT...: a run in a folder of its own, interrupted after so long
    local name=$1 long=$2 port; shift 2
    port=$((PORT + ${#own[@]} + 1)); start_server "$port"
    env "$@" timeout -s INT -k 20 "$long" "$B" run "$WORK/batch.jsonl" --data-dir "$WORK/data-$name" \
        --server "http://127.0.0.1:$port" --parallel 4 --json -o "$WORK/$name.results.jsonl" \
        > "$WORK/$name.json" 2> "$WORK/$name.err" &
}
told_of() { # NAME: what a run showed
    echo "--- $1: progress"; python3 "$HERE/steps.py" < "$WORK/$1.json"
    echo "--- $1: log"; cat "$WORK/data-$1"/logs/* 2>/dev/null | grep -v ' DEBUG ' | cut -c1-300 | head -40
    echo "--- $1: standard error"; grep -v '^$' "$WORK/$1.err" | cut -c1-300 | head -30
    echo "--- $1: show"; "$B" show 1 --data-dir "$WORK/data-$1" | grep -E 'state|answered|energy'
    "$B" show 1 --json --data-dir "$WORK/data-$1" | python3 -c 'import json,sys
one = json.load(sys.stdin); print(json.dumps({k: one[k] for k in ("energy_joules", "bill")}))'
}

cat > "$WORK/server.toml" <<'TOML'
slots = 4
load_ms = 300
prefill_rate = 20000.0
decode_rate = 40.0
[answers]
tokens = 40
[[models]]
name = "gemma3:12b"
family = "gemma3"
size = 8149190253
overhead = 1400000000
bytes_per_token = 65536
context_length = 131072
embedding_length = 3840
sliding_window = 1024
[models.model_info]
"gemma3.attention.head_count" = 16
"gemma3.attention.head_count_kv" = 8
"gemma3.attention.key_length" = 256
"gemma3.attention.value_length" = 256
"gemma3.block_count" = 48
TOML
"$B" sample 5000 --model gemma3:12b -o "$WORK/batch.jsonl"

facts() {
    head_line machine
    uname -r; nvidia-smi; "$B" --version; python3 -c 'import torch; print(torch.__version__)'
    head_line "NVML itself, idle"; python3 "$HERE/truth.py" once
    head_line "doctor without a server"; "$B" doctor --server http://127.0.0.1:1
    start_server $PORT
    head_line doctor; "$B" doctor --server "http://127.0.0.1:$PORT"
    head_line "doctor --json"; "$B" doctor --json --server "http://127.0.0.1:$PORT"
    head_line plan; "$B" plan --model gemma3:12b --num-ctx 8192 --parallel 4 --server "http://127.0.0.1:$PORT"
    head_line "plan --json"; "$B" plan --model gemma3:12b --num-ctx 8192 --json --server "http://127.0.0.1:$PORT"
}

start_holders() {
    head_line "two programs on the card: python3, and one that is called llama-server"
    python3 "$HERE/hold.py" "$WORK/mem.told" "$WORK/mem.ready" & own+=($!)
    # Named as Ollama's runner is. Python finds its packages by the folder of that name.
    (exec -a "$(dirname "$(command -v python3)")/llama-server" python3 "$HERE/hold.py" \
        "$WORK/runner.told" "$WORK/runner.ready") > "$WORK/runner.err" 2>&1 & own+=($!)
    tell runner "4 idle" || cat "$WORK/runner.err"
    tell mem "15 idle"
}

readings() {
    head_line "a run while both hold memory and python3 computes"
    tell mem "20 busy"; sleep 3
    python3 "$HERE/truth.py" energy "$WORK/before"
    batchtop_run energy 22 BATCHTOP_ENERGY_PRICE=0.30
    local pid=$!
    sleep 12
    head_line "NVML itself, busy"; python3 "$HERE/truth.py" once
    head_line "the same by batchtop (plan --json, cards)"
    "$B" plan --model gemma3:12b --json --server "http://127.0.0.1:$PORT" |
        python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin)["cards"], indent=1))'
    head_line "doctor, busy"; "$B" doctor --server "http://127.0.0.1:$PORT" | grep -E 'card|guard'
    head_line "processor time of the thread that reads the card"
    child=$(awk -v parent="$pid" '$1 == "Pid:" { own = $2 } $1 == "PPid:" && $2 == parent { print own }' \
        /proc/[0-9]*/status 2>/dev/null | head -1)
    child=${child:-$pid}
    for task in /proc/$child/task/*; do
        echo "$(cat "$task/comm") $(cut -d' ' -f1 "$task/schedstat" 2>/dev/null) ns of computing"
    done | grep -E '^cards|^batchtop' ; grep -c . "$WORK/energy.json"
    wait $pid
    python3 "$HERE/truth.py" energy "$WORK/after"
    python3 - "$WORK" <<'PY'
import json, sys
before, after = (json.load(open(f"{sys.argv[1]}/{name}")) for name in ("before", "after"))
print(f"NVML's own counter over the run: {(after[1] - before[1]) / 1e3:.0f} J in {after[0] - before[0]:.1f} s")
PY
    told_of energy
}

steps() {
    head_line "steps: memory, neighbour, heat, power; four runs side by side"
    tell mem "10 idle"; sleep 12
    local warm; warm=$(nvidia-smi --query-gpu=temperature.gpu --format=csv,noheader,nounits | head -1)
    warm=${warm:-30}; echo "idle at $warm C: heat_pause $((warm + 4)), heat_resume $((warm + 2))"
    batchtop_run memory 150 BATCHTOP_MEMORY_EASE=40 BATCHTOP_MEMORY_PAUSE=60 BATCHTOP_HEAT_PAUSE=119 BATCHTOP_HEAT_RESUME=118
    local runs=($!)
    batchtop_run neighbour 150 BATCHTOP_NEIGHBOUR=true BATCHTOP_MEMORY_PAUSE=100 BATCHTOP_MEMORY_EASE=99 BATCHTOP_HEAT_PAUSE=119 BATCHTOP_HEAT_RESUME=118
    runs+=($!)
    batchtop_run heat 150 BATCHTOP_HEAT_PAUSE=$((warm + 4)) BATCHTOP_HEAT_RESUME=$((warm + 2)) BATCHTOP_MEMORY_PAUSE=100 BATCHTOP_MEMORY_EASE=99
    runs+=($!)
    batchtop_run power 150 BATCHTOP_POWER=250 BATCHTOP_MEMORY_PAUSE=100 BATCHTOP_MEMORY_EASE=99 BATCHTOP_HEAT_PAUSE=119 BATCHTOP_HEAT_RESUME=118
    runs+=($!)
    sleep 8; head_line "45 % full, computing"; tell mem "45 busy"
    sleep 13; head_line "70 % full, computing"; tell mem "70 busy"
    sleep 10; head_line "10 % full, at rest"; tell mem "10 idle"
    wait "${runs[@]}"
    for name in memory neighbour heat power; do head_line "$name"; told_of "$name"; done
}

full() {
    head_line "97 % full: nothing starts"
    tell mem "97 idle"
    "$B" doctor --server "http://127.0.0.1:$PORT" | grep -E 'card|guard|plan'
    "$B" plan --model gemma3:12b --num-ctx 8192 --parallel 4 --server "http://127.0.0.1:$PORT" | head -8
    batchtop_run full 62
    local pid=$!
    sleep 14; head_line "10 % full again"; tell mem "10 idle"
    wait $pid
    told_of full
}

facts > "$OUT/facts.txt" 2>&1
{ start_holders; readings; } > "$OUT/readings.txt" 2>&1
steps > "$OUT/steps.txt" 2>&1
full > "$OUT/full.txt" 2>&1
echo "done in $((SECONDS - STARTED)) s"
