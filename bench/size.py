"""Size: stripped images against the goals. Peers' figures are published ones and named so."""

import images


def run(results, _rounds):
    goals = [
        ("hello, no engine, no network", images.hello(), "Unikraft hello (published)", 245),
        ("httpd with lwIP, no engine", images.httpd("--without=engine"), "goal", 445),
        ("httpd with lwIP and engine", images.httpd(), "goal", 900),
        ("the same without the compiler (.qwo only)", images.httpd("--without=compiler"),
         "with it", images.stripped_size(images.httpd())),
    ]
    for name, image, peer, goal in goals:
        results.add("size", name, [images.stripped_size(image)], "kB", peer, [goal])
