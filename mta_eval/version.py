"""The version, which runs and recipes are stamped with."""

VERSION = "0.1.0"
