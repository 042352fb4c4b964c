"""Canary watches TaskFlow jobboards in ZooKeeper and shows every change as it happens."""
