from twisted.application.service import ServiceMaker

ocpp = ServiceMaker("OCPP gateway", "ocpp_tw.tap", "Connects EV chargers (OCPP) with a backend over Redis.", "ocpp")
