def test_it(shop):
    c = shop.customer()
    a = c.chat()
    print(a)
    print(c.row)
    a = c.chat("fake/default", stream=True, stream_options={"include_usage":True})
    print(a.body.decode())
    assert 0
