# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the host tier: one booted host per test file, cleaned after each test."""

import allocd_on_host
import enforcer_on_host
import pytest
import standin_service
import throwaway_host


def pytest_sessionstart():
    reason = throwaway_host.unavailable()
    if reason:
        pytest.exit(f"skipped: {reason}", returncode=77)


@pytest.fixture(scope="session")
def booted():
    with throwaway_host.ThrowawayHost() as host:
        yield host


@pytest.fixture
def host(booted):
    """The running host. Units a test made are gone after it."""
    yield booted
    booted.forget_units()


@pytest.fixture(scope="session")
def equipped(booted):
    """The host with allocd, the stand-in engine and the small programs in place."""
    programs, source = allocd_on_host.locations()
    allocd_on_host.install(booted, programs, source)
    allocd_on_host.install_host_programs(booted, programs)
    standin_service.install(booted)
    return booted


@pytest.fixture
def allocd(equipped, host):
    """allocd on the running host; a test starts it with its own configuration."""
    agent = allocd_on_host.Allocd(host)
    yield agent
    agent.stop()


@pytest.fixture
def enforcer(equipped, host):
    """The enforcer, with nothing of it left from the test before."""
    agent = enforcer_on_host.Enforcer(host)
    agent.clean()
    yield agent
    agent.clean()
