#!/usr/bin/env bash
# countersign beside other HTTP proxies on loopback, in rounds that take turns. See ../README.md.
#   ./run.sh setup                       install the peers (Debian, PyPI), build the tools and countersign
#   ./run.sh run   [options]             measure; raw lines go to work/results.txt, the table to stdout
#   ./run.sh start [options]             measure how long a start takes, likewise: 15 of each, in turn
#   ./run.sh table                       print the table again from work/results.txt
# options
#   --program FILE    countersign's binary (default: what scripts/dist makes)
#   --peers a,b,c     default: all that are installed
#   --cases a,b,c     get1 get32 get256 post1 post32 newconn rate beside connect connect-new idle idle-tls stream
#   --rounds N (5, starts 15) --secs S (3) --idle N (1000) --mib N (1024) --rate R (500; half: of what countersign-metasv can do)
#   --slow R (50)     requests a second with RSA 4096 in `beside`
set -u
cd "$(dirname "$0")"
W=$PWD/work; mkdir -p "$W"
T=${CARGO_TARGET_DIR:-$PWD/target}/release
HUD=${HUD_TARGET_DIR:-$PWD/hudsucker-peer/target}/release/hudsucker-peer
NONO=${NONO_TARGET_DIR:-$PWD/nono-peer/target}/release/nono-peer
VENV=${BENCH_VENV:-$W/venv}; VENV2=${BENCH_VENV2:-$W/venv2}
OH=18080; OS=18443; URL=http://127.0.0.1:$OH/b/200; SURL=https://localhost:$OS/b/200
PROGRAM=$PWD/../../target/dist/countersign; PEERS=""; CASES=get1,get32,get256,post32; ROUNDS=""; SECS=3; IDLE=1000; MIB=1024; RATE=500; SLOW=50
PIDS=()
kill_tree() { local k; for k in $(ps -o pid= --ppid "$1" 2>/dev/null); do kill_tree "$k"; done; kill "$1" 2>/dev/null; }
cleanup() { local p; for p in "${PIDS[@]}"; do kill_tree "$p"; done; }
trap cleanup EXIT
trap 'exit 130' INT TERM

setup() {
  ../../scripts/dist || exit 1
  cargo build --release && (cd hudsucker-peer && CARGO_TARGET_DIR=${HUD_TARGET_DIR:-target} cargo build --release)
  (cd nono-peer && CARGO_TARGET_DIR=${NONO_TARGET_DIR:-target} cargo build --release)
  # RUNLEVEL=1 keeps the packages from starting their services
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    nginx-light haproxy squid tinyproxy privoxy procps iproute2
  python3 -m venv "$VENV" && "$VENV/bin/pip" install -q mitmproxy cryptography coincurve
  python3 -m venv "$VENV2" && "$VENV2/bin/pip" install -q proxy.py   # apart: its pins clash with mitmproxy's
}

configs() {
  [ -s "$W/ca.pem" ] || "$T/origin" --mint "$W"
  mkdir -p "$W/mitm" "$W/squid" "$W/nginx"
  cat "$W/ca.key" "$W/ca.pem" > "$W/mitm/mitmproxy-ca.pem"; cp "$W/ca.pem" "$W/mitm/mitmproxy-ca-cert.pem"
  cat > "$W/squid.conf" <<C
http_port 127.0.0.1:19102
acl all_src src 127.0.0.0/8
http_access allow all_src
cache deny all
cache_mem 0 MB
access_log none
cache_log $W/squid/cache.log
pid_filename $W/squid/pid
coredump_dir $W/squid
workers 1
max_filedescriptors 16384
server_persistent_connections on
client_persistent_connections on
client_idle_pconn_timeout 10 minutes
via off
shutdown_lifetime 0 seconds
C
  cat > "$W/tinyproxy.conf" <<C
Port 19103
Listen 127.0.0.1
Timeout 600
MaxClients 4000
LogLevel Critical
LogFile "$W/tinyproxy.log"
C
  cat > "$W/haproxy.cfg" <<C
global
  maxconn 7000
  nbthread 2
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
  http-reuse always
frontend f
  bind 127.0.0.1:19104
  default_backend b
backend b
  server s 127.0.0.1:$OH
C
  cat > "$W/nginx.conf" <<C
worker_processes 2;
daemon off;
pid $W/nginx/pid;
error_log $W/nginx/error.log;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path $W/nginx; proxy_temp_path $W/nginx; fastcgi_temp_path $W/nginx; uwsgi_temp_path $W/nginx; scgi_temp_path $W/nginx;
  keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_buffer_size 64k; client_max_body_size 0;
  upstream o { server 127.0.0.1:$OH; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:19105 reuseport; location / { proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
C
  cat > "$W/privoxy.conf" <<C
listen-address 127.0.0.1:19106
confdir /etc/privoxy
logdir $W
toggle 0
keep-alive-timeout 300
tolerate-pipelining 1
connection-sharing 1
socket-timeout 300
max-client-connections 4000
debug 0
C
}

# name -> via port command
peer() {
  case $1 in
    direct)       echo "direct 0 -";;
    countersign*) [ -s "$W/$1/port" ] && echo "forward $(<"$W/$1/port") $PROGRAM run $W/$1/proxy.toml";;
    tcp)          echo "reverse 19001 $T/refproxy --mode tcp --to 127.0.0.1:$OH --port 19001";;
    raw)          echo "forward 19002 $T/refproxy --mode raw --rt percore --port 19002";;
    raw-sign)     echo "forward 19003 $T/refproxy --mode raw --rt percore --sign secp256k1 --port 19003";;
    hyper)        echo "forward 19004 $T/refproxy --mode hyper --port 19004";;
    hyper-percore) echo "forward 19005 $T/refproxy --mode hyper --rt percore --port 19005";;
    affine)       echo "forward 19006 $T/refproxy --mode affine --rt percore --port 19006";;
    hyper-sign-k256) echo "forward 19007 $T/refproxy --mode hyper --sign k256 --port 19007";;
    hyper-sign)   echo "forward 19008 $T/refproxy --mode hyper --sign secp256k1 --port 19008";;
    affine-sign)  echo "forward 19009 $T/refproxy --mode affine --rt percore --sign secp256k1 --port 19009";;
    nono)         echo "reverse 19111 $NONO 19111 http://127.0.0.1:$OH";;   # puts no credential in
    hudsucker)    echo "forward 19101 $HUD 19101 $W/ca.pem $W/ca.key";;
    squid)        echo "forward 19102 squid -N -f $W/squid.conf";;
    tinyproxy)    echo "forward 19103 tinyproxy -d -c $W/tinyproxy.conf";;
    haproxy)      echo "reverse 19104 haproxy -f $W/haproxy.cfg -db";;
    nginx)        echo "reverse 19105 nginx -c $W/nginx.conf -p $W/nginx";;
    privoxy)      echo "forward 19106 privoxy --no-daemon $W/privoxy.conf";;
    mitmproxy)    echo "forward 19107 $VENV/bin/mitmdump -q --listen-host 127.0.0.1 -p 19107 --set confdir=$W/mitm --set ssl_verify_upstream_trusted_ca=$W/ca.pem";;
    mitmproxy-sign) echo "forward 19108 $VENV/bin/mitmdump -q --listen-host 127.0.0.1 -p 19108 --set confdir=$W/mitm --set ssl_verify_upstream_trusted_ca=$W/ca.pem -s $PWD/mitm_sign_addon.py";;
    mitmproxy-coincurve) echo "forward 19109 env BENCH_SIGNER=coincurve $VENV/bin/mitmdump -q --listen-host 127.0.0.1 -p 19109 --set confdir=$W/mitm --set ssl_verify_upstream_trusted_ca=$W/ca.pem -s $PWD/mitm_sign_addon.py";;
    proxy.py)     echo "forward 19110 $VENV2/bin/proxy --hostname 127.0.0.1 --port 19110 --num-workers 2 --num-acceptors 1 --log-level ERROR --timeout 600";;
    extra)        echo "${EXTRA_VIA:-reverse} ${EXTRA_PORT:-0} ${EXTRA_CMD:-false}";;   # any other proxy, from the environment
    *) return 1;;
  esac
}

wait_port() { local i; for i in $(seq 3000); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; kill -0 "$2" 2>/dev/null || return 1; sleep 0.004; done; return 1; }
free() { if ss -Hltn "sport = :$1" | grep -q .; then echo "port $1 is taken" >&2; return 1; fi; }
UP=0
up() { # port command -> UP=pid
  free "$1" || return 1
  # shellcheck disable=SC2086
  (ulimit -n 16384 2>/dev/null; exec $2 >>"$W/peers.log" 2>&1 </dev/null) & UP=$!; PIDS+=("$UP")
  wait_port "$1" "$UP" || { echo "did not start: $2" >&2; return 1; }
}
down() { kill_tree "$1"; local i; for i in $(seq 100); do kill -0 "$1" 2>/dev/null || break; sleep 0.05; done; kill -9 "$1" 2>/dev/null; wait "$1" 2>/dev/null; }

one() { # case peer via port pid
  local c=$1 n=$2 via=$3 port=$4 pid=$5 x=() base
  if [ "$via" = direct ]; then x=(); else x=(--proxy "127.0.0.1:$port" --via "$via"); fi
  base=(--label "$c/$n" --pid "$pid" --secs "$SECS" --warm 0.7)
  local s=(--proxy "127.0.0.1:$port" --via connect)
  rate() { "$T/loadgen" --label "$1" --url $URL "${x[@]}" "${base[@]}" --conns 16 --rate "$RATE"; }
  case $c in
    get1)   "$T/loadgen" --url $URL "${x[@]}" "${base[@]}" --conns 1;;
    get32)  "$T/loadgen" --url $URL "${x[@]}" "${base[@]}" --conns 32;;
    get256) "$T/loadgen" --url $URL "${x[@]}" "${base[@]}" --conns 256;;
    post1)  "$T/loadgen" --url $URL "${x[@]}" "${base[@]}" --conns 1 --body 10240;;
    post32) "$T/loadgen" --url $URL "${x[@]}" "${base[@]}" --conns 32 --body 10240;;
    newconn) "$T/loadgen" --url $URL "${x[@]}" "${base[@]}" --conns 8 --new-conn;;
    rate)   rate "rate@$RATE/$n";;
    # The same requests alone, then beside others with a slow key, which countersign-okx has for localhost.
    beside) rate "alone@$RATE/$n"
            "$T/loadgen" --url http://localhost:$OH/b/200 "${x[@]}" --label "slow@$SLOW/$n" --pid 0 --conns 16 --rate "$SLOW" \
              --warm 0.7 --secs "$SECS" & local slow=$!
            rate "beside@$RATE/$n"; wait $slow;;
    # intercepted: only the bench CA is trusted, which also signed the origin's own certificate (so a tunnel passes too)
    connect) [ "$via" = direct ] && s=(); "$T/loadgen" --url $SURL "${s[@]}" "${base[@]}" --conns 16 --ca "$W/ca.pem";;
    connect-new) [ "$via" = direct ] && s=(); "$T/loadgen" --url $SURL "${s[@]}" "${base[@]}" --conns 8 --new-conn --ca "$W/ca.pem";;
    idle)   [ "$via" = direct ] || "$T/loadgen" --url $URL "${x[@]}" --label "$c/$n" --pid "$pid" --idle "$IDLE" --secs 60;;
    idle-tls) [ "$via" = direct ] || "$T/loadgen" --url $SURL "${s[@]}" --label "$c/$n" --pid "$pid" --idle "$IDLE" --secs 120 --ca "$W/ca.pem";;
    stream) [ "$via" = direct ] || "$T/stream" --url $URL "${x[@]}" --label "$c/$n" --pid "$pid" --mib "$MIB";;
  esac
}

# KiB of a process and what it started
resident() { local k s; s=$(ps -o rss= -p "$1"); for k in $(ps -o pid= --ppid "$1"); do s=$((s + $(resident "$k"))); done; echo $((s)); }
record() { # round lines
  local line
  while read -r line; do [ -z "$line" ] || echo "round=$1 $line" | tee -a "$W/results.txt" >&2; done <<<"$2"
}

begin() {
  configs; ./ours.py "$PROGRAM" "$W" $OH $OS || exit 1; : > "$W/peers.log"
  ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  # An origin shares its ports with whoever else has them, and some requests would be another run's.
  free $OH && free $OS || exit 1
  "$T/origin" --http $OH --https $OS --cert "$W/cert.pem" --key "$W/key.pem" & PIDS+=($!); wait_port $OH $! || exit 1
}

start() {
  begin
  [ -n "$PEERS" ] || PEERS=hyper,hudsucker,$(cd "$W" && echo countersign*/ | tr -d / | tr ' ' ,)
  local n d
  for n in ${PEERS//,/ }; do d=$(peer "$n") && echo "$n $d"; done \
    | ./start.py "${ROUNDS:-15}" $URL | tee -a "$W/results.txt" >&2
  ./table.py
}

half() { # RATE=half of what countersign does with 32 connections, signing
  local via port cmd line; read -r via port cmd <<<"$(peer countersign-metasv)"
  up "$port" "$cmd" || exit 1
  line=$(one get32 countersign-metasv "$via" "$port" "$UP"); down "$UP"
  line=${line##* rps=}; RATE=$((${line%% *} / 2)); echo "half of the capacity: $RATE a second" >&2
}

run() {
  begin
  [ -n "$PEERS" ] || PEERS=direct,tcp,raw,raw-sign,affine,affine-sign,hyper,hyper-percore,hyper-sign,hyper-sign-k256,hudsucker,nono,squid,tinyproxy,haproxy,nginx,privoxy,mitmproxy,mitmproxy-sign,mitmproxy-coincurve,proxy.py,countersign,countersign-metasv,countersign-sinohope,countersign-okx
  local r n c d via port cmd line fresh
  [ "$RATE" != half ] || half
  for r in $(seq "${ROUNDS:-5}"); do
    for n in ${PEERS//,/ }; do
      d=$(peer "$n") || { echo "unknown peer $n" >&2; continue; }
      read -r via port cmd <<<"$d"
      if [ "$via" = direct ]; then UP=0; else
        up "$port" "$cmd" || { echo "skip $n" >&2; down "$UP"; continue; }
        sleep 0.3
        record "$r" "label=memory/$n start_kb=$(resident "$UP")"
      fi
      fresh=1
      for c in ${CASES//,/ }; do
        # Memory that is kept from before would be used again, and not be seen.
        case $c in idle*|stream) [ "$UP" = 0 ] || [ -n "$fresh" ] || { down "$UP"; up "$port" "$cmd" || break; sleep 0.3; };; esac
        fresh=""
        record "$r" "$(one "$c" "$n" "$via" "$port" "$UP")"
      done
      [ "$UP" = 0 ] || down "$UP"
    done
  done
  ./table.py
}

cmd=${1:-run}; [ $# -gt 0 ] && shift
while [ $# -gt 0 ]; do case $1 in
  --program) PROGRAM=$(realpath "$2");; --peers) PEERS=$2;; --cases) CASES=$2;; --rounds) ROUNDS=$2;;
  --secs) SECS=$2;; --idle) IDLE=$2;; --mib) MIB=$2;; --rate) RATE=$2;; --slow) SLOW=$2;; *) echo "what is $1?" >&2; exit 2;; esac; shift 2; done
case $cmd in setup) setup;; run) run;; start) start;; table) ./table.py;; *) sed -n 2,12p "$0"; exit 2;; esac
