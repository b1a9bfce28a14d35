#!/bin/sh
# Starts the node of $TALLAC_DIRECTORY, after making it when the directory is empty. Runs in the Docker image.
#
# TALLAC_HOSTNAME  under which name others reach the storage port (default: this machine's host name)
# TALLAC_PORT      the storage port (default: 3457)
# TALLAC_NICKNAME  what the node calls itself
# TALLAC_STORAGE   where the shares are kept, as a volume of their own (default: storage, in the node directory)
# TALLAC_NEW_NODE  `refuse`: never make a node, for an empty directory is a volume that is not mounted
#
# A node that has had a store starts on no other: see 'tallac storage adopt --help'. Nothing is written but the node
# directory and the shares, so the root file system may be read-only. Pid files of earlier containers are no obstacle.
#
# Any option of tahoe.cfg can be set as TAHOE_SECTION_OPTION; see tahoe.cfg.example.
set -eu

directory=${TALLAC_DIRECTORY:?set it to the node directory}
hostname=${TALLAC_HOSTNAME:-$(hostname)}
port=${TALLAC_PORT:-3457}

if [ ! -e "$directory/tahoe.cfg" ]; then
  if [ "${TALLAC_NEW_NODE:-}" = refuse ]; then
    echo "there is no node in '$directory': mount its volume, or unset TALLAC_NEW_NODE to make a new node" >&2
    exit 1
  fi
  tallac create-node --nickname "${TALLAC_NICKNAME:-$hostname}" --storage-dir "${TALLAC_STORAGE:-}" \
    --port "tcp:$port" --location "tcp:$hostname:$port" "$directory"
fi
# The node takes this process over, so that it gets the signals that are meant for it.
exec tallac run --allow-stdin-close "$directory"
