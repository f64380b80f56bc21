// SPDX-License-Identifier: Apache-2.0
// Accepts connections and keeps each one back until its whole request head has arrived.
//
// Why before libmicrohttpd: its own limit makes a new client wait while silent ones hold every place. Here a
// silent or slow client only ever holds a place until another client wants it: then the one that has been
// silent longest is dropped. Who has sent a request is handed on and is no longer in anybody's way; when all
// places are taken by requests being answered, new clients wait in the kernel's queue, and an answer nobody
// reads is cut off.
//
// Owns one thread and every connection that has not been handed on. Nothing is read here: the bytes are
// looked at (MSG_PEEK) and left for the server. The callbacks of the server come from its threads.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace allocd::exporter {

struct LobbyLimits {
  std::size_t connections = 16;                  // waiting and being served, together
  std::chrono::milliseconds silence{4000};       // from connect to the end of the request head
  std::chrono::milliseconds service{15000};      // from there to the end of the answer
  std::chrono::milliseconds unread_answer{500};  // while others wait for a place
};

class Lobby {
 public:
  // Takes over the descriptor in every case; false if it could not be served.
  using Admit = std::function<bool(int fd, const sockaddr* address, socklen_t size)>;

  [[nodiscard]] static base::Result<std::unique_ptr<Lobby>> open(std::vector<base::UniqueFd> listeners,
                                                                 LobbyLimits limits, Admit admit);
  ~Lobby() { stop(); }
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;

  void start();
  void stop();  // nobody is admitted any more; those being served are left to the server

  // The server has put its answer in the queue of this connection.
  void answered(int fd);
  // The server is about to close this connection.
  void finished(int fd);

  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Guest {
    base::UniqueFd fd;
    sockaddr_storage address{};
    socklen_t size = 0;
    Clock::time_point since;
  };
  struct Served {
    Clock::time_point since;
    Clock::time_point answered_at;  // the epoch: not yet
  };
  using Guests = std::list<Guest>;  // oldest first

  Lobby(std::vector<base::UniqueFd> listeners, LobbyLimits limits, Admit admit)
      : listeners_(std::move(listeners)), limits_(limits), admit_(std::move(admit)) {}
  [[nodiscard]] base::Result<void> set_up();

  void run();
  void handle(int fd);
  void accept_all(int listener);
  void welcome(base::UniqueFd fd, const sockaddr_storage& address, socklen_t size);
  [[nodiscard]] bool make_room();
  // Looks at what a guest has sent; the guest is gone when this returns true.
  bool inspect(Guests::iterator guest);
  void hand_on(Guests::iterator guest);
  void drop(Guests::iterator guest, const char* answer = nullptr);
  void expire();
  void cut_off_served(Clock::time_point now, bool others_wait);
  void accept_if_room();
  [[nodiscard]] std::size_t serving();

  std::vector<base::UniqueFd> listeners_;
  LobbyLimits limits_;
  Admit admit_;
  base::UniqueFd epoll_;
  base::UniqueFd wake_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  Guests guests_;
  bool accepting_ = true;

  std::mutex mutex_;  // of served_
  std::map<int, Served> served_;

  std::thread thread_;
};

}  // namespace allocd::exporter
