"""A row of the table: a request as it reached the provider, and the first cause that is right."""

ROWS = []


def http(method, target, host, headers, body=b"", length=None):
    """Raw HTTP/1.1."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def row(name, route, request, codes, words="", **more):
    """`codes` are those of causes that are right, none for a request that holds; `words` must stand
    in the first cause's sentence."""
    ROWS.append({"name": name, "route": route, "request": request, "codes": codes, "words": words, **more})
