# SPDX-License-Identifier: Apache-2.0
"""The information elements of IANA's registry "IPFIX Information Elements", one a line.

Number, name, type, and where the registry says so: semantics and unit.  Types are u, i and f with
their bits, ``bool``, ``mac``, ``ip4``, ``ip6``, ``text``, ``octets``, times by their unit (``s``,
``ms``, ``us``, ``ns``) and the lists of RFC 6313 (``list``, ``sublist``, ``multilist``); ``id`` is
the registry's identifier.  NetFlow version 9 has the same numbers (RFC 7011, 3.2; RFC 3954, 8).
What other enterprises number stands in ``vendors``.
"""

ELEMENTS = """\
1 octetDeltaCount u64 delta octets
2 packetDeltaCount u64 delta packets
3 deltaFlowCount u64 delta flows
4 protocolIdentifier u8 id
5 ipClassOfService u8 id
6 tcpControlBits u16 flags
7 sourceTransportPort u16 id
8 sourceIPv4Address ip4
9 sourceIPv4PrefixLength u8 - bits
10 ingressInterface u32 id
11 destinationTransportPort u16 id
12 destinationIPv4Address ip4
13 destinationIPv4PrefixLength u8 - bits
14 egressInterface u32 id
15 ipNextHopIPv4Address ip4
16 bgpSourceAsNumber u32 id
17 bgpDestinationAsNumber u32 id
18 bgpNextHopIPv4Address ip4
19 postMCastPacketDeltaCount u64 delta packets
20 postMCastOctetDeltaCount u64 delta octets
21 flowEndSysUpTime u32 - ms
22 flowStartSysUpTime u32 - ms
23 postOctetDeltaCount u64 delta octets
24 postPacketDeltaCount u64 delta packets
25 minimumIpTotalLength u64 - octets
26 maximumIpTotalLength u64 - octets
27 sourceIPv6Address ip6
28 destinationIPv6Address ip6
29 sourceIPv6PrefixLength u8 - bits
30 destinationIPv6PrefixLength u8 - bits
31 flowLabelIPv6 u32 id
32 icmpTypeCodeIPv4 u16 id
33 igmpType u8 id
34 samplingInterval u32 quantity packets
35 samplingAlgorithm u8 id
36 flowActiveTimeout u16 - s
37 flowIdleTimeout u16 - s
38 engineType u8 id
39 engineId u8 id
40 exportedOctetTotalCount u64 total octets
41 exportedMessageTotalCount u64 total messages
42 exportedFlowRecordTotalCount u64 total flows
43 ipv4RouterSc ip4
44 sourceIPv4Prefix ip4
45 destinationIPv4Prefix ip4
46 mplsTopLabelType u8 id
47 mplsTopLabelIPv4Address ip4
48 samplerId u8 id
49 samplerMode u8 id
50 samplerRandomInterval u32 quantity
51 classId u8 id
52 minimumTTL u8 - hops
53 maximumTTL u8 - hops
54 fragmentIdentification u32 id
55 postIpClassOfService u8 id
56 sourceMacAddress mac
57 postDestinationMacAddress mac
58 vlanId u16 id
59 postVlanId u16 id
60 ipVersion u8 id
61 flowDirection u8 id
62 ipNextHopIPv6Address ip6
63 bgpNextHopIPv6Address ip6
64 ipv6ExtensionHeaders u32 flags
70 mplsTopLabelStackSection octets
71 mplsLabelStackSection2 octets
72 mplsLabelStackSection3 octets
73 mplsLabelStackSection4 octets
74 mplsLabelStackSection5 octets
75 mplsLabelStackSection6 octets
76 mplsLabelStackSection7 octets
77 mplsLabelStackSection8 octets
78 mplsLabelStackSection9 octets
79 mplsLabelStackSection10 octets
80 destinationMacAddress mac
81 postSourceMacAddress mac
82 interfaceName text
83 interfaceDescription text
84 samplerName text
85 octetTotalCount u64 total octets
86 packetTotalCount u64 total packets
87 flagsAndSamplerId u32 id
88 fragmentOffset u16 quantity
89 forwardingStatus u8 id
90 mplsVpnRouteDistinguisher octets
91 mplsTopLabelPrefixLength u8 quantity bits
92 srcTrafficIndex u32 id
93 dstTrafficIndex u32 id
94 applicationDescription text
95 applicationId octets
96 applicationName text
98 postIpDiffServCodePoint u8 id
99 multicastReplicationFactor u32 quantity
100 className text
101 classificationEngineId u8 id
102 layer2packetSectionOffset u16 quantity
103 layer2packetSectionSize u16 quantity
104 layer2packetSectionData octets
128 bgpNextAdjacentAsNumber u32 id
129 bgpPrevAdjacentAsNumber u32 id
130 exporterIPv4Address ip4
131 exporterIPv6Address ip6
132 droppedOctetDeltaCount u64 delta octets
133 droppedPacketDeltaCount u64 delta packets
134 droppedOctetTotalCount u64 total octets
135 droppedPacketTotalCount u64 total packets
136 flowEndReason u8 id
137 commonPropertiesId u64 id
138 observationPointId u64 id
139 icmpTypeCodeIPv6 u16 id
140 mplsTopLabelIPv6Address ip6
141 lineCardId u32 id
142 portId u32 id
143 meteringProcessId u32 id
144 exportingProcessId u32 id
145 templateId u16 id
146 wlanChannelId u8 id
147 wlanSSID text
148 flowId u64 id
149 observationDomainId u32 id
150 flowStartSeconds s - s
151 flowEndSeconds s - s
152 flowStartMilliseconds ms - ms
153 flowEndMilliseconds ms - ms
154 flowStartMicroseconds us - us
155 flowEndMicroseconds us - us
156 flowStartNanoseconds ns - ns
157 flowEndNanoseconds ns - ns
158 flowStartDeltaMicroseconds u32 - us
159 flowEndDeltaMicroseconds u32 - us
160 systemInitTimeMilliseconds ms - ms
161 flowDurationMilliseconds u32 - ms
162 flowDurationMicroseconds u32 - us
163 observedFlowTotalCount u64 total flows
164 ignoredPacketTotalCount u64 total packets
165 ignoredOctetTotalCount u64 total octets
166 notSentFlowTotalCount u64 total flows
167 notSentPacketTotalCount u64 total packets
168 notSentOctetTotalCount u64 total octets
169 destinationIPv6Prefix ip6
170 sourceIPv6Prefix ip6
171 postOctetTotalCount u64 total octets
172 postPacketTotalCount u64 total packets
173 flowKeyIndicator u64 flags
174 postMCastPacketTotalCount u64 total packets
175 postMCastOctetTotalCount u64 total octets
176 icmpTypeIPv4 u8 id
177 icmpCodeIPv4 u8 id
178 icmpTypeIPv6 u8 id
179 icmpCodeIPv6 u8 id
180 udpSourcePort u16 id
181 udpDestinationPort u16 id
182 tcpSourcePort u16 id
183 tcpDestinationPort u16 id
184 tcpSequenceNumber u32
185 tcpAcknowledgementNumber u32
186 tcpWindowSize u16
187 tcpUrgentPointer u16
188 tcpHeaderLength u8 - octets
189 ipHeaderLength u8 - octets
190 totalLengthIPv4 u16 - octets
191 payloadLengthIPv6 u16 - octets
192 ipTTL u8 - hops
193 nextHeaderIPv6 u8
194 mplsPayloadLength u32 - octets
195 ipDiffServCodePoint u8 id
196 ipPrecedence u8 id
197 fragmentFlags u8 flags
198 octetDeltaSumOfSquares u64
199 octetTotalSumOfSquares u64 - octets
200 mplsTopLabelTTL u8 - hops
201 mplsLabelStackLength u32 - octets
202 mplsLabelStackDepth u32 - entries
203 mplsTopLabelExp u8 flags
204 ipPayloadLength u32 - octets
205 udpMessageLength u16 - octets
206 isMulticast u8 flags
207 ipv4IHL u8 - octets
208 ipv4Options u32 flags
209 tcpOptions u64 flags
210 paddingOctets octets
211 collectorIPv4Address ip4
212 collectorIPv6Address ip6
213 exportInterface u32 id
214 exportProtocolVersion u8 id
215 exportTransportProtocol u8 id
216 collectorTransportPort u16 id
217 exporterTransportPort u16 id
218 tcpSynTotalCount u64 total packets
219 tcpFinTotalCount u64 total packets
220 tcpRstTotalCount u64 total packets
221 tcpPshTotalCount u64 total packets
222 tcpAckTotalCount u64 total packets
223 tcpUrgTotalCount u64 total packets
224 ipTotalLength u64 - octets
225 postNATSourceIPv4Address ip4
226 postNATDestinationIPv4Address ip4
227 postNAPTSourceTransportPort u16 id
228 postNAPTDestinationTransportPort u16 id
229 natOriginatingAddressRealm u8 id
230 natEvent u8 id
231 initiatorOctets u64 delta octets
232 responderOctets u64 delta octets
233 firewallEvent u8
234 ingressVRFID u32
235 egressVRFID u32
236 VRFname text
237 postMplsTopLabelExp u8 flags
238 tcpWindowScale u16
239 biflowDirection u8 id
240 ethernetHeaderLength u8 quantity octets
241 ethernetPayloadLength u16 quantity octets
242 ethernetTotalLength u16 quantity octets
243 dot1qVlanId u16 id
244 dot1qPriority u8 id
245 dot1qCustomerVlanId u16 id
246 dot1qCustomerPriority u8 id
247 metroEvcId text
248 metroEvcType u8 id
249 pseudoWireId u32 id
250 pseudoWireType u16 id
251 pseudoWireControlWord u32 id
252 ingressPhysicalInterface u32 id
253 egressPhysicalInterface u32 id
254 postDot1qVlanId u16 id
255 postDot1qCustomerVlanId u16 id
256 ethernetType u16 id
257 postIpPrecedence u8 id
258 collectionTimeMilliseconds ms - ms
259 exportSctpStreamId u16 id
260 maxExportSeconds s - s
261 maxFlowEndSeconds s - s
262 messageMD5Checksum octets
263 messageScope u8
264 minExportSeconds s - s
265 minFlowStartSeconds s - s
266 opaqueOctets octets
267 sessionScope u8
268 maxFlowEndMicroseconds us - us
269 maxFlowEndMilliseconds ms - ms
270 maxFlowEndNanoseconds ns - ns
271 minFlowStartMicroseconds us - us
272 minFlowStartMilliseconds ms - ms
273 minFlowStartNanoseconds ns - ns
274 collectorCertificate octets
275 exporterCertificate octets
276 dataRecordsReliability bool
277 observationPointType u8 id
278 newConnectionDeltaCount u32 delta
279 connectionSumDurationSeconds u64 - s
280 connectionTransactionId u64 id
281 postNATSourceIPv6Address ip6
282 postNATDestinationIPv6Address ip6
283 natPoolId u32 id
284 natPoolName text
285 anonymizationFlags u16 flags
286 anonymizationTechnique u16 id
287 informationElementIndex u16 id
288 p2pTechnology text
289 tunnelTechnology text
290 encryptedTechnology text
291 basicList list
292 subTemplateList sublist
293 subTemplateMultiList multilist
294 bgpValidityState u8 id
295 IPSecSPI u32 id
296 greKey u32 id
297 natType u8 id
298 initiatorPackets u64 delta packets
299 responderPackets u64 delta packets
300 observationDomainName text
301 selectionSequenceId u64 id
302 selectorId u64 id
303 informationElementId u16 id
304 selectorAlgorithm u16 id
305 samplingPacketInterval u32 quantity packets
306 samplingPacketSpace u32 quantity packets
307 samplingTimeInterval u32 quantity us
308 samplingTimeSpace u32 quantity us
309 samplingSize u32 quantity packets
310 samplingPopulation u32 quantity packets
311 samplingProbability f64 quantity
312 dataLinkFrameSize u16 quantity
313 ipHeaderPacketSection octets
314 ipPayloadPacketSection octets
315 dataLinkFrameSection octets
316 mplsLabelStackSection octets
317 mplsPayloadPacketSection octets
318 selectorIdTotalPktsObserved u64 total packets
319 selectorIdTotalPktsSelected u64 total packets
320 absoluteError f64 quantity
321 relativeError f64 quantity
322 observationTimeSeconds s - s
323 observationTimeMilliseconds ms - ms
324 observationTimeMicroseconds us - us
325 observationTimeNanoseconds ns - ns
326 digestHashValue u64 quantity
327 hashIPPayloadOffset u64 quantity
328 hashIPPayloadSize u64 quantity
329 hashOutputRangeMin u64 quantity
330 hashOutputRangeMax u64 quantity
331 hashSelectedRangeMin u64 quantity
332 hashSelectedRangeMax u64 quantity
333 hashDigestOutput bool
334 hashInitialiserValue u64 quantity
335 selectorName text
336 upperCILimit f64 quantity
337 lowerCILimit f64 quantity
338 confidenceLevel f64 quantity
339 informationElementDataType u8
340 informationElementDescription text
341 informationElementName text
342 informationElementRangeBegin u64 quantity
343 informationElementRangeEnd u64 quantity
344 informationElementSemantics u8
345 informationElementUnits u16
346 privateEnterpriseNumber u32 id
347 virtualStationInterfaceId octets
348 virtualStationInterfaceName text
349 virtualStationUUID octets
350 virtualStationName text
351 layer2SegmentId u64 id
352 layer2OctetDeltaCount u64 delta octets
353 layer2OctetTotalCount u64 total octets
354 ingressUnicastPacketTotalCount u64 total packets
355 ingressMulticastPacketTotalCount u64 total packets
356 ingressBroadcastPacketTotalCount u64 total packets
357 egressUnicastPacketTotalCount u64 total packets
358 egressBroadcastPacketTotalCount u64 total packets
359 monitoringIntervalStartMilliSeconds ms - ms
360 monitoringIntervalEndMilliSeconds ms - ms
361 portRangeStart u16 id
362 portRangeEnd u16 id
363 portRangeStepSize u16 id
364 portRangeNumPorts u16 id
365 staMacAddress mac
366 staIPv4Address ip4
367 wtpMacAddress mac
368 ingressInterfaceType u32 id
369 egressInterfaceType u32 id
370 rtpSequenceNumber u16
371 userName text
372 applicationCategoryName text
373 applicationSubCategoryName text
374 applicationGroupName text
375 originalFlowsPresent u64 delta flows
376 originalFlowsInitiated u64 delta flows
377 originalFlowsCompleted u64 delta flows
378 distinctCountOfSourceIPAddress u64 total
379 distinctCountOfDestinationIPAddress u64 total
380 distinctCountOfSourceIPv4Address u32 total
381 distinctCountOfDestinationIPv4Address u32 total
382 distinctCountOfSourceIPv6Address u64 total
383 distinctCountOfDestinationIPv6Address u64 total
384 valueDistributionMethod u8
385 rfc3550JitterMilliseconds u32 quantity ms
386 rfc3550JitterMicroseconds u32 quantity us
387 rfc3550JitterNanoseconds u32 quantity ns
388 dot1qDEI bool
389 dot1qCustomerDEI bool
390 flowSelectorAlgorithm u16 id
391 flowSelectedOctetDeltaCount u64 delta octets
392 flowSelectedPacketDeltaCount u64 delta packets
393 flowSelectedFlowDeltaCount u64 delta flows
394 selectorIDTotalFlowsObserved u64 - flows
395 selectorIDTotalFlowsSelected u64 - flows
396 samplingFlowInterval u64 - flows
397 samplingFlowSpacing u64 - flows
398 flowSamplingTimeInterval u64 - us
399 flowSamplingTimeSpacing u64 - us
400 hashFlowDomain u16 id
401 transportOctetDeltaCount u64 delta octets
402 transportPacketDeltaCount u64 delta packets
403 originalExporterIPv4Address ip4
404 originalExporterIPv6Address ip6
405 originalObservationDomainId u32 id
406 intermediateProcessId u32 id
407 ignoredDataRecordTotalCount u64 total
408 dataLinkFrameType u16 flags
409 sectionOffset u16 quantity
410 sectionExportedOctets u16 quantity
411 dot1qServiceInstanceTag octets
412 dot1qServiceInstanceId u32 id
413 dot1qServiceInstancePriority u8 id
414 dot1qCustomerSourceMacAddress mac
415 dot1qCustomerDestinationMacAddress mac
417 postLayer2OctetDeltaCount u64 delta octets
418 postMCastLayer2OctetDeltaCount u64 delta octets
420 postLayer2OctetTotalCount u64 total octets
421 postMCastLayer2OctetTotalCount u64 total octets
422 minimumLayer2TotalLength u64 - octets
423 maximumLayer2TotalLength u64 - octets
424 droppedLayer2OctetDeltaCount u64 delta octets
425 droppedLayer2OctetTotalCount u64 total octets
426 ignoredLayer2OctetTotalCount u64 total octets
427 notSentLayer2OctetTotalCount u64 total octets
428 layer2OctetDeltaSumOfSquares u64 delta octets
429 layer2OctetTotalSumOfSquares u64 total octets
430 layer2FrameDeltaCount u64 delta frames
431 layer2FrameTotalCount u64 total frames
432 pseudoWireDestinationIPv4Address ip4
433 ignoredLayer2FrameTotalCount u64 total frames
434 mibObjectValueInteger i32 quantity
435 mibObjectValueOctetString octets
436 mibObjectValueOID octets
437 mibObjectValueBits octets flags
438 mibObjectValueIPAddress ip4
439 mibObjectValueCounter u64 snmpCounter
440 mibObjectValueGauge u32 snmpGauge
441 mibObjectValueTimeTicks u32 quantity
442 mibObjectValueUnsigned u32 quantity
443 mibObjectValueTable sublist
444 mibObjectValueRow sublist
445 mibObjectIdentifier octets
446 mibSubIdentifier u32 id
447 mibIndexIndicator u64 flags
448 mibCaptureTimeSemantics u8 id
449 mibContextEngineID octets
450 mibContextName text
451 mibObjectName text
452 mibObjectDescription text
453 mibObjectSyntax text
454 mibModuleName text
455 mobileIMSI text
456 mobileMSISDN text
457 httpStatusCode u16 id
458 sourceTransportPortsLimit u16 quantity
459 httpRequestMethod text
460 httpRequestHost text
461 httpRequestTarget text
462 httpMessageVersion text
463 natInstanceID u32 id
464 internalAddressRealm octets id
465 externalAddressRealm octets id
466 natQuotaExceededEvent u32 id
467 natThresholdEvent u32 id
468 httpUserAgent text
469 httpContentType text
470 httpReasonPhrase text
471 maxSessionEntries u32 id
472 maxBIBEntries u32 id
473 maxEntriesPerUser u32 id
474 maxSubscribers u32 id
475 maxFragmentsPendingReassembly u32 id
476 addressPoolHighThreshold u32 id
477 addressPoolLowThreshold u32 id
478 addressPortMappingHighThreshold u32 id
479 addressPortMappingLowThreshold u32 id
480 addressPortMappingPerUserHighThreshold u32 id
481 globalAddressMappingHighThreshold u32 id
482 vpnIdentifier octets
483 bgpCommunity u32 id
484 bgpSourceCommunityList list
485 bgpDestinationCommunityList list
486 bgpExtendedCommunity octets
487 bgpSourceExtendedCommunityList list
488 bgpDestinationExtendedCommunityList list
489 bgpLargeCommunity octets
490 bgpSourceLargeCommunityList list
491 bgpDestinationLargeCommunityList list
492 srhFlagsIPv6 u8 flags
493 srhTagIPv6 u16 id
494 srhSegmentIPv6 ip6
495 srhActiveSegmentIPv6 ip6
496 srhSegmentIPv6BasicList list
497 srhSegmentIPv6ListSection octets
498 srhSegmentsIPv6Left u8 quantity
499 srhIPv6Section octets
500 srhIPv6ActiveSegmentType u8 id
501 srhSegmentIPv6LocatorLength u8
502 srhSegmentIPv6EndpointBehavior u16 id
503 transportChecksum u16
504 icmpHeaderPacketSection octets
505 gtpuFlags u8 flags
506 gtpuMsgType u8 id
507 gtpuTEid u32 id
508 gtpuSequenceNum u16 id
509 gtpuQFI u8 id
510 gtpuPduType u8 id
511 bgpSourceAsPathList list
512 bgpDestinationAsPathList list
"""
