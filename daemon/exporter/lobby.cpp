// SPDX-License-Identifier: Apache-2.0
#include "exporter/lobby.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <string_view>

#include "exporter/http.hpp"

namespace allocd::exporter {
namespace {

using base::UniqueFd;

constexpr const char* kBadRequest =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
constexpr const char* kTooLong =
    "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

// How often deadlines are looked at while there is anybody to have one.
constexpr int kTickMs = 100;

bool watch(int epoll, int operation, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll, operation, fd, &event) == 0;
}

// Asked afresh, not taken from the event: that may have been meant for an earlier owner of the number.
bool has_half_closed(int fd) {
  pollfd state{.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&state, 1, 0) > 0;
}

// A farewell that may fail: the client did not follow the protocol, and nothing may wait for it.
void say_goodbye(int fd, std::string_view answer) {
  (void)send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)shutdown(fd, SHUT_WR);
  // Unread bytes would turn the close into a reset, and the reset would take the answer with it.
  std::array<char, kMaxHead> rest;
  (void)recv(fd, rest.data(), rest.size(), MSG_DONTWAIT);
}

}  // namespace

base::Result<std::unique_ptr<Lobby>> Lobby::open(std::vector<UniqueFd> listeners, LobbyLimits limits,
                                                 Admit admit) {
  std::unique_ptr<Lobby> lobby(new Lobby(std::move(listeners), limits, std::move(admit)));
  if (auto ready = lobby->set_up(); !ready) return std::unexpected(ready.error());
  return lobby;
}

base::Result<void> Lobby::set_up() {
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  bool watched = epoll_ && wake_ && watch(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), EPOLLIN);
  for (const UniqueFd& listener : listeners_) {
    watched = watched && watch(epoll_.get(), EPOLL_CTL_ADD, listener.get(), EPOLLIN);
  }
  if (!watched) return base::fault_from_errno("wait for", "connections", errno);
  return {};
}

void Lobby::start() {
  thread_ = std::thread([this] { run(); });
}

void Lobby::stop() {
  stopping_ = true;
  (void)eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void Lobby::run() {
  std::array<epoll_event, 32> events{};
  while (!stopping_) {
    const bool alone = guests_.empty() && serving() == 0;
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), alone ? -1 : kTickMs);
    assert(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) handle(events.at(static_cast<std::size_t>(i)).data.fd);
    expire();
    accept_if_room();
  }
}

void Lobby::handle(int fd) {
  if (fd == wake_.get()) {
    eventfd_t ignored = 0;
    (void)eventfd_read(fd, &ignored);
    return;
  }
  if (std::ranges::find(listeners_, fd, &UniqueFd::get) != listeners_.end()) return accept_all(fd);
  // The guest may be gone: an earlier event of this round can have had it dropped.
  const auto guest = std::ranges::find_if(guests_, [fd](const Guest& g) { return g.fd.get() == fd; });
  if (guest != guests_.end()) inspect(guest);
}

void Lobby::accept_all(int listener) {
  constexpr int kAtOnce = 64;  // then the guests get a look
  for (int i = 0; i < kAtOnce && make_room(); ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    UniqueFd fd(
        accept4(listener, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      welcome(std::move(fd), address, size);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // Nobody there, or no descriptor or memory to be had: then a pause, not a busy loop.
      if (errno != EAGAIN) std::this_thread::sleep_for(std::chrono::milliseconds(kTickMs));
      return;
    }
  }
}

void Lobby::welcome(UniqueFd fd, const sockaddr_storage& address, socklen_t size) {
  // Edge-triggered: bytes that are looked at and left must not be reported again until more arrive.
  if (!watch(epoll_.get(), EPOLL_CTL_ADD, fd.get(), EPOLLIN | EPOLLRDHUP | EPOLLET)) return;
  guests_.push_back({std::move(fd), address, size, Clock::now()});
  inspect(std::prev(guests_.end()));
}

bool Lobby::make_room() {
  while (guests_.size() + serving() >= limits_.connections) {
    if (guests_.empty()) return false;
    // It gets one last look: a request that has arrived meanwhile is served.
    if (!inspect(guests_.begin())) drop(guests_.begin());
  }
  return true;
}

bool Lobby::inspect(Guests::iterator guest) {
  std::array<char, kMaxHead> bytes;
  const ssize_t count = recv(guest->fd.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    drop(guest);
    return true;
  }
  switch (inspect_head({bytes.data(), static_cast<std::size_t>(count)})) {
    case Head::complete:
      hand_on(guest);
      return true;
    case Head::malformed:
      drop(guest, kBadRequest);
      return true;
    case Head::too_long:
      drop(guest, kTooLong);
      return true;
    case Head::incomplete:
      if (!has_half_closed(guest->fd.get())) return false;
      drop(guest);  // no more will come
      return true;
  }
  return false;
}

void Lobby::hand_on(Guests::iterator guest) {
  Guest leaving = std::move(*guest);
  guests_.erase(guest);
  const int fd = leaving.fd.release();
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  {
    const std::scoped_lock lock(mutex_);
    served_[fd] = {Clock::now(), {}};
  }
  if (!admit_(fd, reinterpret_cast<const sockaddr*>(&leaving.address), leaving.size)) {
    finished(fd);
    ++dropped_;
  }
}

void Lobby::drop(Guests::iterator guest, const char* answer) {
  if (answer != nullptr) say_goodbye(guest->fd.get(), answer);
  guests_.erase(guest);  // closing takes the descriptor out of the epoll set
  ++dropped_;
}

void Lobby::answered(int fd) {
  const std::scoped_lock lock(mutex_);
  if (const auto at = served_.find(fd); at != served_.end()) at->second.answered_at = Clock::now();
}

void Lobby::finished(int fd) {
  {
    const std::scoped_lock lock(mutex_);
    served_.erase(fd);
  }
  (void)eventfd_write(wake_.get(), 1);  // there may be a place for the next one
}

std::size_t Lobby::serving() {
  const std::scoped_lock lock(mutex_);
  return served_.size();
}

void Lobby::expire() {
  const auto now = Clock::now();
  while (!guests_.empty() && now - guests_.front().since >= limits_.silence) {
    if (!inspect(guests_.begin())) drop(guests_.begin());
  }
  cut_off_served(now, !accepting_);
}

// The server owns these: shutdown() makes it see the end, and finished() cannot come in between.
void Lobby::cut_off_served(Clock::time_point now, bool others_wait) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [fd, served] : served_) {
    const bool answered = served.answered_at != Clock::time_point();
    const bool unread = others_wait && answered && now - served.answered_at >= limits_.unread_answer;
    if (unread || now - served.since >= limits_.service) (void)shutdown(fd, SHUT_RDWR);
  }
}

void Lobby::accept_if_room() {
  const bool room = serving() < limits_.connections;
  if (room == accepting_) return;
  accepting_ = room;
  for (const UniqueFd& listener : listeners_) {
    (void)watch(epoll_.get(), EPOLL_CTL_MOD, listener.get(), room ? std::uint32_t{EPOLLIN} : 0);
  }
}

}  // namespace allocd::exporter
