"""A name server on loopback, with the records that a test gives it."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers A, AAAA, SRV and NAPTR from `records`; anything else does not exist.

    `asked` counts the questions by (name, kind). Records are given in their order. A silent server
    answers nothing.
    """

    def __init__(self, records):
        self.records = {}
        for name, ttl, kind, *data in records:
            key = (dns.name.from_text(name), dns.rdatatype.from_text(kind))
            self.records[key] = dns.rrset.from_text(name, ttl, "IN", kind, *data)
        self.asked = Counter()
        self.silent = False
        self.address = ("", 0)

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        question = query.question[0]
        self.asked[(question.name.to_text(), dns.rdatatype.to_text(question.rdtype))] += 1
        if self.silent:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA | dns.flags.AA
        found = self.records.get((question.name, question.rdtype))
        if found is not None:
            response.answer.append(found)
        elif not any(name == question.name for name, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(response.to_wire(want_shuffle=False), addr)


@asynccontextmanager
async def name_server_of(*records):
    """Serve records (name, ttl, kind, *data)."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(records), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
