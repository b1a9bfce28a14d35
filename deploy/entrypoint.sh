#!/bin/sh
# Starts the node of $TALLAC_DIRECTORY, after making it when the directory is empty. Runs in the Docker image.
#
# TALLAC_HOSTNAME  under which name others reach the storage port (default: this machine's host name)
# TALLAC_PORT      the storage port (default: 3457)
# TALLAC_NICKNAME  what the node calls itself
#
# Any option of tahoe.cfg can be set as TAHOE_SECTION_OPTION; see tahoe.cfg.example.
set -eu

directory=${TALLAC_DIRECTORY:?set it to the node directory}
hostname=${TALLAC_HOSTNAME:-$(hostname)}
port=${TALLAC_PORT:-3457}

if [ ! -e "$directory/tahoe.cfg" ]; then
  tallac create-node --nickname "${TALLAC_NICKNAME:-$hostname}" \
    --port "tcp:$port" --location "tcp:$hostname:$port" "$directory"
fi
# The node takes this process over, so that it gets the signals that are meant for it.
exec tallac run --allow-stdin-close "$directory"
