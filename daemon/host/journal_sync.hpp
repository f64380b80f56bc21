// SPDX-License-Identifier: Apache-2.0
// Has journald store what it has been sent so far, so that a reader of the journal sees it: the method
// io.systemd.Journal.Synchronize of its varlink socket, which answers root alone.
#pragma once

#include <chrono>

namespace allocd::host {

// False when the journal is not there, refuses or does not answer within `deadline`: what is read then may
// lack the last lines, and that is all.
bool sync_journal(std::chrono::milliseconds deadline);

}  // namespace allocd::host
