// SPDX-License-Identifier: Apache-2.0
#include "drift/slot_ring.hpp"

#include "support/catch.hpp"

using namespace allocd;
using drift::SlotRing;

TEST_CASE("slot ring: what was put is there, what was not seen is absent and never 0") {
  SlotRing ring(4);
  CHECK_FALSE(ring.at(0));
  ring.put(1, 10.0);
  ring.put(3, std::nullopt);
  CHECK_FALSE(ring.at(0));
  CHECK(ring.at(1) == 10.0);
  CHECK_FALSE(ring.at(2));
  CHECK_FALSE(ring.at(3));
  CHECK_FALSE(ring.at(4));
  CHECK_FALSE(ring.at(-1));
  CHECK(ring.first() == 0);
  CHECK(ring.end() == 4);
}

TEST_CASE("slot ring: the oldest make room, and a gap longer than the ring leaves nothing") {
  SlotRing ring(3);
  for (int slot = 0; slot < 5; ++slot) ring.put(slot, slot);
  CHECK(ring.first() == 2);
  CHECK_FALSE(ring.at(1));
  CHECK(ring.at(2) == 2.0);
  CHECK(ring.at(4) == 4.0);
  ring.put(1'000'000'000'000, 7.0);
  CHECK_FALSE(ring.at(4));
  CHECK_FALSE(ring.at(999'999'999'999));
  CHECK(ring.at(1'000'000'000'000) == 7.0);
}

TEST_CASE("slot ring: a slot that is not above all before is ignored") {
  SlotRing ring(3);
  ring.put(5, 1.0);
  ring.put(5, 2.0);
  ring.put(4, 3.0);
  ring.put(-1, 3.0);
  CHECK(ring.at(5) == 1.0);
  CHECK_FALSE(ring.at(4));
  CHECK(ring.end() == 6);
}

TEST_CASE("slot ring: one that keeps nothing only counts") {
  SlotRing ring(0);
  ring.put(7, 1.0);
  CHECK(ring.end() == 8);
  CHECK_FALSE(ring.at(7));
  CHECK(ring == SlotRing(ring));
}
