"""A network laboratory: real programs on hosts of their own, behind NATs of every kind.

    from tests.support.lab.access import PORT, SYMMETRIC, Place
    from tests.support.lab.lab import laboratory

    async with laboratory() as lab:  # camera, viewer, rendezvous, turn, turn2
        await lab.seat(camera=Place(PORT, site=1), viewer=Place(SYMMETRIC, site=2))
        process = await asyncio.create_subprocess_exec(*lab.hosts["camera"].prefix, "publisher", …)

Each host is a network namespace with one device, eth0, that is the end of a TUN device. All other
ends are held by one router, a process of ours in which every packet is looked at: NAT mapping and
filtering in the words of RFC 4787, hairpins, firewalls, rate, delay and seeded loss are a few
hundred lines of plain Python that are tested without root. The kernel could do masquerading, which
is one kind of NAT of the five, and many kernels lack netem; so it does none of it here.

`access` has the ways of being connected, `theory` says which of them can meet, `lab` makes hosts
and moves them, `topology` is what the router is told. In a test:

* ``await lab.seat(viewer=Place(OPEN, site=3))`` gives a running host another address, at once;
* ``await lab.link("viewer", down=Line(bits_per_second=500_000, delay=0.15, loss=0.1))``;
* ``await lab.unplug("turn")`` makes a server silent, ``plug`` brings it back;
* ``await lab.count()`` says who has exchanged how much with whom, what was dropped and why, and
  how long packets have waited: `flows_of` and `since` read it.

Servers have names in every host's hosts file, with both families: ``rendezvous.lab``, ``turn.lab``,
``turn2.lab``. Two hosts of one site are on one LAN. `stage` starts rendezvous, coturn, publisher
and Chromium each where they belong.

Root, /dev/net/tun and the right to make namespaces are needed; `namespaces.missing` says what of
them is not there. Namespaces of runs that were killed are removed by the next.
"""
