// SPDX-License-Identifier: Apache-2.0
// A journal that keeps what is logged.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "host/journal.hpp"

namespace allocd::test {

class JournalRecord final : public host::Journal {
 public:
  struct Message {
    host::Priority priority;
    std::string id;
    std::string text;
    std::map<std::string, std::string> fields;
  };
  void log(host::Priority priority, std::string_view message_id, std::string_view message,
           const std::vector<host::Field>& fields) override {
    messages.push_back(
        {priority, std::string(message_id), std::string(message), {fields.begin(), fields.end()}});
  }
  [[nodiscard]] std::size_t count(std::string_view id) const {
    return static_cast<std::size_t>(std::ranges::count(messages, id, &Message::id));
  }

  std::vector<Message> messages;
};

}  // namespace allocd::test
