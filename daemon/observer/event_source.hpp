// SPDX-License-Identifier: Apache-2.0
// Owner of an sd-event source: disabled and released with it.
#pragma once

#include <systemd/sd-event.h>

#include <memory>

namespace allocd::observer {

struct EventSourceDeleter {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using EventSource = std::unique_ptr<sd_event_source, EventSourceDeleter>;

struct EventLoopDeleter {
  void operator()(sd_event* loop) const { sd_event_unref(loop); }
};
using EventLoop = std::unique_ptr<sd_event, EventLoopDeleter>;

}  // namespace allocd::observer
