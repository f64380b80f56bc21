// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body of the answer to GetAll(), as it comes over the bus: never a crash, and what is taken
// as a unit has a name. libsystemd can make a message only from a connection; so there is one, to ourselves,
// and behind its back the bytes are written into the other end.
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "host/bus_handles.hpp"
#include "host/unit_properties.hpp"

namespace {

using namespace allocd;

constexpr std::size_t kMaxBody = 64 << 10;  // fits the buffer of a socket

void require(bool holds) {
  if (!holds) std::abort();
}

int on_message(sd_bus_message* message, void* seen, sd_bus_error* /*error*/) {
  *static_cast<bool*>(seen) = true;
  const auto facts = host::parse_unit_properties(message);
  if (facts) require(!facts->name.empty() && !facts->load_state.empty());
  return 1;
}

class Connection {
 public:
  Connection() {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    peer_fd_ = ends[1];
    ours_ = start(ends[0], false);
    peer_ = start(ends[1], true);
    while (sd_bus_is_ready(ours_.get()) == 0) {
      require(sd_bus_process(peer_.get(), nullptr) >= 0 && sd_bus_process(ours_.get(), nullptr) >= 0);
    }
    sd_bus_slot* slot = nullptr;
    require(sd_bus_add_filter(ours_.get(), &slot, on_message, &seen_) >= 0);
    filter_.reset(slot);
  }

  // Does what a bus does with a whole message.
  void receive(const std::string& message) {
    seen_ = false;
    require(::write(peer_fd_, message.data(), message.size()) == static_cast<ssize_t>(message.size()));
    while (!seen_) require(sd_bus_process(ours_.get(), nullptr) >= 0);
  }

 private:
  static host::BusHandle start(int fd, bool is_server) {
    sd_bus* bus = nullptr;
    require(sd_bus_new(&bus) >= 0);
    host::BusHandle handle(bus);
    require(sd_bus_set_fd(bus, fd, fd) >= 0 && sd_bus_set_anonymous(bus, 1) >= 0);
    constexpr sd_id128_t kServer{.bytes = {1}};
    if (is_server) require(sd_bus_set_server(bus, 1, kServer) >= 0);
    require(sd_bus_start(bus) >= 0);
    return handle;
  }

  int peer_fd_ = -1;
  bool seen_ = false;
  host::BusHandle ours_;
  host::BusHandle peer_;
  host::SlotHandle filter_;
};

// A method return of signature a{sv}, D-Bus specification, "Message Format"; this machine's byte order.
std::string make_message(const std::uint8_t* body, std::size_t size) {
  constexpr bool kLittle = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  constexpr std::uint32_t kSerial = 1;
  constexpr std::uint32_t kFieldsSize = 19;
  std::string message;
  const auto add_number = [&](std::uint32_t number) {
    message.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  message += {kLittle ? 'l' : 'B', 2, 1, 1};
  add_number(static_cast<std::uint32_t>(size));
  add_number(kSerial);
  add_number(kFieldsSize);
  message += {5, 1, 'u', 0};  // REPLY_SERIAL
  add_number(kSerial);
  message += {8, 1, 'g', 0, 5, 'a', '{', 's', 'v', '}', 0};  // SIGNATURE
  message.resize(40, '\0');
  message.append(reinterpret_cast<const char*>(body), size);
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Connection connection;
  connection.receive(make_message(data, std::min(size, kMaxBody)));
  return 0;
}
