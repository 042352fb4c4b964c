"""Canary watches TaskFlow jobboards in ZooKeeper and tells what happens on them as it happens."""
