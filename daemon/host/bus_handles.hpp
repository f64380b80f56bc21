// SPDX-License-Identifier: Apache-2.0
// Owned sd-bus objects. A slot that is released calls nobody back any more; a bus that is released is
// closed without waiting for its peer. Release every slot before its bus.
#pragma once

#include <systemd/sd-bus.h>

#include <memory>

namespace allocd::host {

struct BusClose {
  void operator()(sd_bus* bus) const {
    sd_bus_detach_event(bus);
    sd_bus_close_unref(bus);
  }
};
struct SlotUnref {
  void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
};
struct MessageUnref {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};

using BusHandle = std::unique_ptr<sd_bus, BusClose>;
using SlotHandle = std::unique_ptr<sd_bus_slot, SlotUnref>;
using MessageHandle = std::unique_ptr<sd_bus_message, MessageUnref>;

}  // namespace allocd::host
