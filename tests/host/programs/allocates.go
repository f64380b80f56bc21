// SPDX-License-Identifier: Apache-2.0
// A program with an allocator of its own and no dynamic linker.
package main

import (
	"fmt"
	"time"
)

var held [][]byte

func main() {
	for i := 0; i < 4096; i++ {
		held = append(held, make([]byte, 1024))
	}
	fmt.Println("ready")
	time.Sleep(1<<63 - 1)
}
