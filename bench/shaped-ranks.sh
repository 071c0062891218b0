#!/usr/bin/env bash
# What does the exchange of gradients cost between machines? Runs a command under Open MPI on N ranks, each in a network
# namespace of its own, whose links to a bridge are limited to a rate. Needs root, Linux, iproute2 and Open MPI.
#
#   bench/shaped-ranks.sh 8 1gbit node bench/all-reduce.mjs
set -euo pipefail
if [ "$#" -lt 3 ]; then
  echo "expected: shaped-ranks.sh RANKS RATE COMMAND..." >&2
  exit 2
fi
ranks=$1 rate=$2
shift 2
name=sd$$
work=$(mktemp -d)

clean() {
  for i in $(seq 0 "$ranks"); do ip netns del "$name-$i" 2>/dev/null || true; done
  ip link del "$name" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT

# A bridge of this machine, and a link to it from each namespace; both directions are limited.
ip link add "$name" type bridge
ip addr add 10.77.0.254/24 dev "$name"
ip link set "$name" up
hosts=()
for i in $(seq 1 "$ranks"); do
  ip netns add "$name-$i"
  ip link add "$name.$i" type veth peer name eth0 netns "$name-$i"
  ip link set "$name.$i" master "$name" up
  ip -n "$name-$i" addr add "10.77.0.$i/24" dev eth0
  ip -n "$name-$i" link set eth0 up
  ip -n "$name-$i" link set lo up
  tc qdisc add dev "$name.$i" root tbf rate "$rate" burst 256kb latency 400ms
  tc -n "$name-$i" qdisc add dev eth0 root tbf rate "$rate" burst 256kb latency 400ms
  hosts+=("10.77.0.$i")
done

# In place of ssh.
cat > "$work/agent" <<AGENT
#!/bin/sh
host=\$1
shift
exec ip netns exec "$name-\${host##*.}" sh -c "\$*"
AGENT
chmod +x "$work/agent"

mpirun="$(command -v mpirun.openmpi || command -v mpirun)"
PMIX_MCA_gds="hash" "$mpirun" --allow-run-as-root --mca plm_rsh_agent "$work/agent" --mca plm_rsh_no_tree_spawn 1 \
  --mca oob_tcp_if_include 10.77.0.0/24 --mca btl self,tcp --mca btl_tcp_if_include 10.77.0.0/24 --mca mpi_yield_when_idle 1 \
  --bind-to none --host "$(IFS=,; echo "${hosts[*]}")" -n "$ranks" "$@"
