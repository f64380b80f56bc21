// SPDX-License-Identifier: Apache-2.0
#include "exporter/publisher.hpp"

#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using exporter::Publisher;

namespace {

using Fetched = base::Result<std::shared_ptr<const snapshot::Snapshot>>;

std::shared_ptr<const snapshot::Snapshot> fresh_snapshot() {
  auto snapshot = std::make_shared<snapshot::Snapshot>();
  snapshot->version = "4.5.6";
  snapshot->taken_at =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return snapshot;
}

std::uint64_t none_dropped() {
  return 0;
}

bool says(const exporter::Page& page, std::string_view line) {
  return page.text().find("\n" + std::string(line) + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a page is made from the snapshot, and being ready is remembered") {
  bool works = true;
  Publisher publisher(
      [&](auto /*deadline*/) -> Fetched {
        if (works) return fresh_snapshot();
        return base::fault("connect to", "the observer", "gone");
      },
      nullptr, none_dropped);
  CHECK_FALSE(publisher.ready());
  CHECK(says(*publisher.page(1s), R"(allocd_build_info{version="4.5.6",revision="",compiler=""} 1)"));
  CHECK(publisher.ready());
  works = false;
  const auto page = publisher.page(1s);
  CHECK(says(*page, "allocd_observer_up 0"));
  CHECK(says(*page, "allocd_exporter_snapshot_fetch_errors_total 1"));
  CHECK_FALSE(page->has_snapshot());
  CHECK(publisher.ready());
}

TEST_CASE("a source that throws or gives nothing is a source that failed") {
  const bool throws = GENERATE(true, false);
  Publisher publisher(
      [&](auto /*deadline*/) -> Fetched {
        if (throws) throw std::runtime_error("no");
        return nullptr;
      },
      nullptr, none_dropped);
  CHECK(says(*publisher.page(1s), "allocd_observer_up 0"));
  CHECK_FALSE(publisher.ready());
}

TEST_CASE("a change of health is told once") {
  std::vector<bool> told;
  std::vector<bool> outcomes{true, false, false, true, true, false};
  std::size_t turn = 0;
  Publisher publisher(
      [&](auto /*deadline*/) -> Fetched {
        if (outcomes.at(turn++)) return fresh_snapshot();
        return base::fault("connect to", "the observer", "gone");
      },
      [&](const base::Fault* fault) { told.push_back(fault == nullptr); }, none_dropped);
  for (std::size_t i = 0; i < outcomes.size(); ++i) (void)publisher.page(1s);
  CHECK(told == std::vector<bool>{false, true, false});
}

TEST_CASE("who comes while a fetch runs shares the next one") {
  std::promise<void> begun;
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<int> fetches = 0;
  Publisher publisher(
      [&](auto /*deadline*/) -> Fetched {
        if (++fetches == 1) {
          begun.set_value();
          released.wait();
        }
        return fresh_snapshot();
      },
      nullptr, none_dropped);
  auto first = std::async(std::launch::async, [&] { return publisher.page(60s); });
  begun.get_future().wait();
  std::vector<std::future<std::shared_ptr<const exporter::Page>>> herd;
  std::atomic<int> arrived = 0;
  for (int i = 0; i < 8; ++i) {
    herd.push_back(std::async(std::launch::async, [&] {
      ++arrived;
      return publisher.page(60s);
    }));
  }
  while (arrived < 8) std::this_thread::yield();
  release.set_value();
  (void)first.get();
  std::vector<std::shared_ptr<const exporter::Page>> pages;  // kept, so that there is something to share
  pages.reserve(herd.size());
  for (auto& one : herd) pages.push_back(one.get());
  for (const auto& page : pages) CHECK(page->has_snapshot());
  // At most one for each, at least one for the herd: a page begun before somebody came is not theirs.
  CHECK(fetches >= 2);
  CHECK(fetches <= 9);
}

TEST_CASE("who loses patience behind a stuck fetch gets a page that says so") {
  std::promise<void> begun;
  std::promise<void> release;
  Publisher publisher(
      [&, released = release.get_future().share()](auto /*deadline*/) -> Fetched {
        begun.set_value();
        released.wait();
        return fresh_snapshot();
      },
      nullptr, none_dropped);
  auto stuck = std::async(std::launch::async, [&] { return publisher.page(60s); });
  begun.get_future().wait();
  CHECK(says(*publisher.page(10ms), "allocd_observer_up 0"));
  release.set_value();
  CHECK(says(*stuck.get(), "allocd_observer_up 1"));
}
