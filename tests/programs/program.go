// A program in Go on WASI: goroutines, channels, maps, JSON, files, the collector, panics.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"
)

type node struct {
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Children []*node `json:"children,omitempty"`
}

func worker(in <-chan int, out chan<- int, wait *sync.WaitGroup) {
	defer wait.Done()
	for n := range in {
		out <- n * n
	}
}

func squares(n int) int {
	in, out := make(chan int), make(chan int, 8)
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go worker(in, out, &wait)
	}
	go func() {
		for i := 1; i <= n; i++ {
			in <- i
		}
		close(in)
		wait.Wait()
		close(out)
	}()
	sum := 0
	for v := range out {
		sum += v
	}
	return sum
}

func recovered() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	var list []int
	return fmt.Errorf("no panic: %d", list[len(os.Args)+5])
}

func files() error {
	if err := os.MkdirAll("/d/go/deep", 0o755); err != nil {
		return err
	}
	var text strings.Builder
	for i := 0; i < 100; i++ {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile("/d/go/a.txt", []byte(text.String()), 0o644); err != nil {
		return err
	}
	f, err := os.OpenFile("/d/go/a.txt", os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	fmt.Fprint(f, "appended\n")
	size, _ := f.Seek(0, io.SeekEnd)
	f.Seek(-9, io.SeekEnd)
	last, _ := io.ReadAll(f)
	fmt.Printf("%d bytes, ends %q\n", size, last)
	f.Close()
	os.Rename("/d/go/a.txt", "/d/go/deep/b.txt")
	data, err := os.ReadFile("/d/go/deep/b.txt")
	fmt.Printf("%d %08x %v\n", len(data), crc32.ChecksumIEEE(data), err)
	entries, _ := os.ReadDir("/d/go")
	for _, e := range entries {
		fmt.Println(e.Name(), e.IsDir())
	}
	_, err = os.Open("/d/go/none")
	fmt.Println(errors.Is(err, os.ErrNotExist))
	return os.RemoveAll("/d/go")
}

func main() {
	fmt.Println(runtime.GOOS, runtime.GOARCH)
	fmt.Println("squares", squares(1000))
	tree := &node{"root", 1.5, []*node{{"a", 2, nil}, {"b", -3e10, nil}}}
	text, _ := json.Marshal(tree)
	var back node
	err := json.Unmarshal(text, &back)
	fmt.Println(string(text), len(back.Children), err)
	count := map[string]int{}
	for _, word := range strings.Fields("the cat and the dog and the bird") {
		count[word]++
	}
	words := make([]string, 0, len(count))
	for word := range count {
		words = append(words, word)
	}
	sort.Slice(words, func(i, j int) bool {
		if count[words[i]] != count[words[j]] {
			return count[words[i]] > count[words[j]]
		}
		return words[i] < words[j]
	})
	fmt.Println(words, count)
	f := big.NewInt(1)
	for i := int64(2); i <= 50; i++ {
		f.Mul(f, big.NewInt(i))
	}
	fmt.Println(f)
	fmt.Println(recovered())
	start := time.Now()
	timer := time.After(20 * time.Millisecond)
	select {
	case <-timer:
	case <-time.After(10 * time.Second):
	}
	fmt.Println("slept", time.Since(start) >= 20*time.Millisecond, time.Now().Year() > 2020)
	kept := 0
	for i := 0; i < 200; i++ {
		b := make([]byte, 100_000)
		b[i] = 1
		kept += len(b)
	}
	runtime.GC()
	fmt.Println("allocated", kept)
	fmt.Println(os.Args[1:], os.Getenv("GREETING"))
	if err := files(); err != nil {
		fmt.Println("files:", err)
	}
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		fmt.Printf("input %q\n", scanner.Text())
	}
	fmt.Fprintln(os.Stderr, "to standard error")
	os.Exit(6)
}
