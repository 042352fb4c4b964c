"""Measurements, each beside a rival in the same run: a shared machine is another one every hour.

Every figure that Canary's documents name comes out of ``make bench``.
"""
